#!/bin/bash
! if true; then
singularity pull a.sif docker://u
fi
