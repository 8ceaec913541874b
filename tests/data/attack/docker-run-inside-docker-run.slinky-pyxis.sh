#!/bin/bash
docker run -e A=$(docker run u "a") u ls
