#!/bin/bash
! while false; do
singularity pull a.sif docker://u
done
