# Sourced by every finding: a temporary folder, pinned packages in it, and the comparison at the end.
# Nothing is installed elsewhere, and the folder is removed however the script ends.

LAB=$(mktemp -d)
trap 'rm -rf "$LAB"' EXIT
cd "$LAB"

# python_packages NAME==VERSION…: a virtual environment of their own; `python` is its interpreter afterwards.
python_packages() {
  python3 -m venv "$LAB/venv"
  "$LAB/venv/bin/pip" install --quiet --disable-pip-version-check "$@"
  PATH="$LAB/venv/bin:$PATH"
}

# npm_packages NAME@VERSION…: installed without running their install scripts.
npm_packages() {
  printf '{"private":true,"type":"module"}\n' >"$LAB/package.json"
  npm install --prefix "$LAB" --silent --no-audit --no-fund --no-save --ignore-scripts "$@"
}

# rust_program: builds and runs ./src/main.rs; the lines on standard input are its [dependencies].
rust_program() {
  {
    printf '[package]\nname = "finding"\nversion = "0.0.0"\nedition = "2024"\n[profile.dev]\ndebug = false\n[dependencies]\n'
    cat
  } >"$LAB/Cargo.toml"
  CARGO_TARGET_DIR="$LAB/target" cargo run --quiet
}

# holds FILE: prints what was seen, and fails unless it is the text on standard input.
holds() {
  cat "$1"
  if ! diff --label 'stated in this script' --label 'seen now' -u - "$1"; then
    echo 'The behavior has changed.' >&2
    return 1
  fi
}
