#!/bin/bash
P=gtest
sbatch --partition=$P a.sh
sbatch --partition=$P a.sh
