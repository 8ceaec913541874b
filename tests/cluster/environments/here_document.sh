#!/bin/bash
#SBATCH --output=out --error=err
module load python
name=world
python show.py --in <<EOF
hello $name
EOF
python show.py --in <<'EOF'
python is not run here: $name
EOF
python show.py --in <<-EOF | sed 's/^/> /'
	tabs go
	EOF
python - <<EOF
print("from a here-document, $name")
EOF
python show.py --in <<< "a string, $name"
