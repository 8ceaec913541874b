#!/bin/bash
if ! {
docker rm c
}; then
  echo a
fi
