# apt.sh: what scripts ask of apt's settings; sourced, not run.
#
# apt_sources prints "URI SUITE KEYRING" for each enabled binary source of this machine, one-line or
# deb822; the keyring is "-" where none is named.

apt_sources() {
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -r "$file" ] || continue
		awk '$1 == "deb" {
			keyring = "-"; i = 2
			if ($i ~ /^\[/) {
				for (;; i++) {
					word = $i; gsub(/[][]/, "", word)
					if (word ~ /^signed-by=/) keyring = substr(word, 11)
					if ($i ~ /\]$/ || i >= NF) break
				}
				i++
			}
			print $i, $(i + 1), keyring
		}' "$file"
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		[ -r "$file" ] || continue
		awk 'function flush(  i, j) {
			if (on && types ~ /(^| )deb( |$)/)
				for (i = 1; i <= nuris; i++)
					for (j = 1; j <= nsuites; j++)
						print uri[i], suite[j], keyring
			on = 1; types = ""; nuris = nsuites = 0; keyring = "-"
		}
		BEGIN { flush() }
		/^[ \t]*$/ { flush(); next }
		/^#/ { next }
		{ key = tolower($1); rest = $0; sub(/^[^:]*:[ \t]*/, "", rest) }
		key == "types:" { types = rest }
		key == "uris:" { nuris = split(rest, uri) }
		key == "suites:" { nsuites = split(rest, suite) }
		key == "signed-by:" && rest ~ /^\// { keyring = rest }
		key == "enabled:" && tolower(rest) == "no" { on = 0 }
		END { flush() }' "$file"
	done
}
