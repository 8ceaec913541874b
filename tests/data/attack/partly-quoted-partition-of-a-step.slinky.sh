#!/bin/bash
srun -p "gt"est ./a
