#!/bin/bash
time {
module load singularity
}
