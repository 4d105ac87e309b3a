#!/bin/sh
# Both arms of an accuracy measurement with one model, and their comparison: the
# whole schema in the prompt with one try, and all that a question goes through.
#
#   OPENAI_BASE_URL=http://127.0.0.1:11434/v1 OPENAI_MODEL=your-model eval/arms.sh [SUITE] [DIRECTORY]
#
# With REPLAY=1 the replies come from the recordings in the directory.
set -eu
suite=${1:-eval/natural-spark}
out=${2:-eval-results}
run=${SPARKWRIGHT:-sparkwright}
how=record
[ -z "${REPLAY:-}" ] || how=replay
mkdir -p "$out"
for arm in naive pipeline; do
    "$run" eval "$suite" --arm "$arm" "--$how" "$out/$arm.jsonl" --report "$out/$arm.json" --html "$out/$arm.html"
done
"$run" eval --compare "$out/naive.json" "$out/pipeline.json"
