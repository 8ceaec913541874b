#!/bin/bash
#$ -cwd -N folder
#$ -o logs/
#$ -e logs
echo "in a folder"
echo "of logs" >&2
