#!/bin/bash
#SBATCH --output=out --error=err
module load python
python show.py --kill=TERM
echo "code $?"
python show.py --kill=KILL
echo "code $?"
python show.py --sleep=60 &
pid=$!
until grep -q sleep "$RECORDS"; do sleep 0.2; done
kill $pid
wait $pid
echo "code $?"
