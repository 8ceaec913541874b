#!/bin/bash
#$ -cwd -j y -o code.log
#$ -N code
echo "gives up"
exit 3
