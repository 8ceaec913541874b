#!/bin/bash
#SBATCH --output=out --error=err
module load python
a=$(python show.py --print=value)
b=`python show.py --print=ticks`
c="in text: $(python show.py --print=text)"
echo "$a $b $c $(python show.py --print="$(python show.py --print=nested)")"
for x in $(python show.py --print="1 2"); do echo "x is $x"; done
cat <(python show.py --print=process)
echo $(( $(python show.py --print=20) + 22 ))
