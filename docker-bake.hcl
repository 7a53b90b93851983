// `docker buildx bake` builds the image for both architectures; `--push` sends it on.
// Reproducible: name the base by digest, and the time of the commit that is built:
//   BASE=python:3.12-slim-bookworm@sha256:... SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) docker buildx bake
variable "BASE" {
  default = "python:3.12-slim-bookworm"
}

variable "SOURCE_DATE_EPOCH" {
  default = "0"
}

variable "TAG" {
  default = "pilotfish:latest"
}

group "default" {
  targets = ["pilotfish"]
}

target "pilotfish" {
  dockerfile = "Dockerfile"
  platforms  = ["linux/amd64", "linux/arm64"]
  tags       = [TAG]
  args = {
    BASE              = BASE
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
  }
  // Of files too, not only of the image's own record.
  output = ["type=image,rewrite-timestamp=true"]
  attest = ["type=provenance,mode=max"]
}
