#!/bin/bash
#$ -N no_cwd
#$ -j y
[ "$PWD" = "$HOME" ] && echo "at home first"
[ -e job.sh ] || echo "its script is elsewhere"
echo written > no_cwd.result
