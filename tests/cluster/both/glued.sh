#!/bin/bash
#$-cwd
#$-N glued
#$  -j   y
#$	-o	glued.log
echo "$JOB_NAME"
