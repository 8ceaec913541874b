#!/bin/bash
ssh n1 <<EOF

#$ -cwd
EOF
