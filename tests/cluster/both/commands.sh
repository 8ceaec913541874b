#!/bin/bash
#$ -cwd -j y -o commands.log
#$ -N commands
qsub -cwd -j y -o words.log -N words -b y echo "two  blanks" '$JOB_NAME' > /dev/null
qsub -cwd -j y -o plain.log -N plain -b y -shell n echo "two  blanks" '$JOB_NAME' > /dev/null
echo "given in"
