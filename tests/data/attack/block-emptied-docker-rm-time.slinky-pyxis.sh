#!/bin/bash
time {
docker rm c
}
