#!/bin/bash
#$ -N x
module list > modules.$JOB_ID.txt 2>&1
