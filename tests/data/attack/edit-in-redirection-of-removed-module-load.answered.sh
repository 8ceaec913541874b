#!/bin/bash
module load x 2> /work/u/err.log
