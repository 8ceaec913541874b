#!/bin/bash
! for i in a; do
singularity pull a.sif docker://u
done
