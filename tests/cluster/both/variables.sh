#!/bin/bash
#$ -cwd
#$ -N variables
#$ -j y
#$ -o out.log
set -u
echo "${JOB_NAME%%.*} ${JOB_NAME:0:3} \"$JOB_NAME\""
[ "${JOB_ID%%.*}" -gt 0 ] && echo "a number: ${JOB_ID//[0-9]/}."
[ -n "${QUEUE}" ] && [ -n "$HOSTNAME" ] && [ -n "${SGE_O_HOST%%.*}" ] && echo "a queue, a host, and where it came from"
echo "${NHOSTS} host, ${RESTARTED} times started again"
cd /; cd "${SGE_O_WORKDIR}"/logs && echo "${PWD##*/}"
cat <<TEXT
job '$JOB_NAME' has ${NSLOTS} slot(s)
TEXT
printf '%s\n' "$USER $ENVIRONMENT"
