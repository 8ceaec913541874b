#!/bin/bash
#SBATCH --output=out --error=err
module load python
while read -r line; do
  python show.py "$line"
done < data/list.txt
cat data/list.txt | while read -r line; do python show.py piped "$line"; done
