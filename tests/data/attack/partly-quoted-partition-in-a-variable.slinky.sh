#!/bin/bash
export SBATCH_PARTITION=g"test"
