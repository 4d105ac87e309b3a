#!/bin/sh
# Asks the public vulnerability databases about every dependency: Go, the page's
# npm packages, Python. A database that cannot be asked is said plainly and fails
# the audit: what is not known is not well.
#
#   scripts/audit.sh GOVULNCHECK PIP_AUDIT
govulncheck=$1 pip_audit=$2 bad=0 unknown=0

check() { # NAME COMMAND…: exit 0 = nothing known
	name=$1
	shift
	out=$("$@" 2>&1)
	code=$?
	if [ $code -eq 0 ]; then
		echo "$name: nothing is known"
		return
	fi
	case "$out" in
	*[Vv]ulnerab*found* | *"Your code is affected"* | *"Severity:"* | *severity*vulnerabilit* | *"Fix Versions"*)
		bad=1
		echo "$name: FOUND"
		;;
	*)
		unknown=1
		echo "$name: NOT CHECKED, its database cannot be had from here:"
		;;
	esac
	printf '%s\n' "$out" | tail -n 20 | sed 's/^/    /'
}

check "Go modules" "$govulncheck" ./...
if [ -f web/package-lock.json ]; then
	check "npm packages of the page" sh -c 'cd web && npm audit --package-lock-only --omit=dev'
fi
for file in $(git ls-files '*requirements*.txt'); do
	check "Python, $file" "$pip_audit" --require-hashes --disable-pip --requirement "$file"
done
[ $bad -eq 0 ] && [ $unknown -eq 0 ] && exit 0
[ $bad -eq 1 ] && echo "vulnerabilities are known: update, or say in docs/security.md why they do not matter"
[ $unknown -eq 1 ] && echo "not everything was checked: run it where the databases can be reached"
exit 1
