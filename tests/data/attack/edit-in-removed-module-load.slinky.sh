#!/bin/bash
module load cuda/$(docker run u "a")
