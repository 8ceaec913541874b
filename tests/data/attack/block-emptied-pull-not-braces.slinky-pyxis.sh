#!/bin/bash
if ! {
singularity pull a.sif docker://u
}; then
  echo a
fi
