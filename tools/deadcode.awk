# Reads the allow list, then the functions that nothing reaches ("name file:line"), and fails over what is in one of the
# two and not in the other.
NF == 0 || /^#/ { next }
FNR == NR { allowed[$1] = 1; next }
$1 in allowed { used[$1] = 1; next }
{ print $2 ": nothing but tests reaches " $1; bad = 1 }
END {
	for (name in allowed)
		if (!(name in used)) { print "tools/deadcode.allow: " name " is reached or gone"; bad = 1 }
	exit bad
}
