#!/bin/bash
#SBATCH --output=out --error=err
module load python
run() { python show.py "$@"; }
function twice {
  local first=$1; shift
  python show.py "$first" "$*"
  python show.py "$#"
}
run a "b  c"
twice x y "z z"
