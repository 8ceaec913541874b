#!/bin/bash
#SBATCH --output=out --error=err
hosttool a "b c"
echo x | hosttool --in
python show.py in an image
