#!/bin/bash
! for i in a; do
module load singularity
done
