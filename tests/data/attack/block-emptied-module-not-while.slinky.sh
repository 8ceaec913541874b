#!/bin/bash
! while false; do
module load singularity
done
