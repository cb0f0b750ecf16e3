#!/bin/sh
# The trainings and measurements of docs/reproduction.md: results/brackets256/run.sh BRACKETS512 WORK [FAMILY ...]
set -e
here=$(cd "$(dirname "$0")" && pwd)
brackets=$1 work=$2
shift 2
families=${*:-sid drbn}

[ -d "$work/half" ] || python "$here/../../docs/examples/half_size.py" "$brackets" "$work/half"
[ -f "$work/data/dataset.json" ] || benchtool data prepare brackets "$work/half" "$work/data" -s val=10 -s test=20

measure() {  # RUN CHECKPOINT
    # the last weights of a stage that tunes: the best by validation would be those that moved least
    benchtool evaluate "$work/runs/$1" --data "$work/data" --checkpoint "$2" --out "$work/measured/$1.$2" --keep none
    cp "$work/measured/$1.$2/summary.json" "$here/$1.$2.json"
}

benchtool evaluate identity --data "$work/data" --out "$work/measured/identity" --keep none  # what the input is worth
for family in $families; do
    case $family in sid) enc=sid-enc ;; drbn) enc=drbn-enc-4 ;; esac
    for run in "$family" "$enc"; do
        benchtool train "$here/$run.yaml" --data "$work/data" --out "$work/runs/$run" --workers 0 --cache 1
    done
    for stage in train again; do measure "$family" "$stage.best"; done
    for stage in train distil tune.last seq.last; do
        case $stage in *.last) measure "$enc" "$stage" ;; *) measure "$enc" "$stage.best" ;; esac
    done
done
python "$here/compare.py" "$work/measured"
