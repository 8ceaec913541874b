#!/bin/bash
#SBATCH --output=out --error=err
module load python
while read -r line; do
  python show.py --in "$line"
done < data/list.txt
