#!/bin/bash
! for i in a; do
docker rm c
done
