#!/bin/bash
#SBATCH --output=out --error=err
module load python
bash <<'EOF'
python show.py inside
for i in 1 2; do python show.py $i; done
EOF
cat > notes.txt <<'EOF'
python is a text here
EOF
