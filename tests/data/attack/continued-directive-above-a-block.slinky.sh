#!/bin/bash
#PBS -l select=1 \
if true; then
  echo a
fi
