#!/bin/bash
#SBATCH --output=out --error=err
module load python
if python show.py --exit=1; then echo yes; else echo "no $?"; fi
if ! python show.py --exit=1; then echo negated; fi
if [ "$(python show.py --print=a)" = a ]; then echo equal; fi
if [[ $(python show.py --print=b) == b && -f show.py ]]; then echo both; fi
case $(python show.py --print=linux) in
  linux) python show.py of case ;;
  *) echo other ;;
esac
