#!/bin/bash
#SBATCH -A MST112233
hostname
