#!/bin/bash
#SBATCH --output=out --error=err
module load python
CMD="python show.py a b"
$CMD
$CMD again
ARGS="--level 3"
RUN="python show.py $ARGS"
echo "runs: done"
$RUN
