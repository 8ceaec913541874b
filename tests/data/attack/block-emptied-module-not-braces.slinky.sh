#!/bin/bash
if ! {
module load singularity
}; then
  echo a
fi
