#!/bin/bash
ssh n1 <<EOF

module load gcc
EOF
