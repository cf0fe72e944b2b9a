// identify.js DIRECTORY: gives a data directory of PostgreSQL an identity of its own. It tells backups and replicas of different databases apart, and all that are
// made from one archive would share it. The caller has to run pg_resetwal after this, since the log carries the identity too.
//
// The control file begins with it; a CRC-32C follows what it covers, at a place that differs between versions and is found by trying.
const crypto = require("node:crypto")
const fs = require("node:fs")
const path = require("node:path")

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0x82f63b78 : n >>> 1
  return n
})

// placeOfSum returns where the checksum of all before it is, or nothing.
function placeOfSum(control) {
  let sum = 0xffffffff
  for (let at = 0; at + 4 <= Math.min(control.length, 512); at++) {
    if (at % 4 === 0 && at >= 64 && control.readUInt32LE(at) === (sum ^ 0xffffffff) >>> 0) return at
    sum = table[(sum ^ control[at]) & 0xff] ^ (sum >>> 8)
  }
}

function checksum(bytes) {
  return (bytes.reduce((sum, byte) => table[(sum ^ byte) & 0xff] ^ (sum >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0
}

const file = path.join(process.argv[2], "global/pg_control")
const control = fs.readFileSync(file)
const place = placeOfSum(control)
if (!place) throw new Error(`${file} has no checksum where one is expected`)
// As the server makes it: the time in the upper half, so that no database has had it before.
control.writeUInt32LE(crypto.randomInt(2 ** 32), 0)
control.writeUInt32LE(Math.floor(Date.now() / 1000), 4)
control.writeUInt32LE(checksum(control.subarray(0, place)), place)
fs.writeFileSync(file, control)
