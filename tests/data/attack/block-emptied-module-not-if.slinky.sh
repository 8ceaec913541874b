#!/bin/bash
! if true; then
module load singularity
fi
