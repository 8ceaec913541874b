#!/bin/bash
#SBATCH --output=out --error=err
module load python
python show.py a > a.txt &
python show.py b --exit=4 > b.txt &
last=$!
wait $last
echo "the second ended with $?"
wait
cat a.txt b.txt
(python show.py c > c.txt) & wait
cat c.txt
