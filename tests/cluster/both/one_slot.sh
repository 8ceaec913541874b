#!/bin/bash
#$ -cwd -j y -o one_slot.log
set -eu
echo "$NSLOTS slot on $NHOSTS host"
