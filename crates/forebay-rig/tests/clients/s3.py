"""What a client of S3 does with a bucket: s3.py PACKAGE URL BUCKET ACCESS_KEY. It leaves the key `left` behind."""

import base64
import hashlib
import sys

LARGE = (bytes(range(251)) * (9_000_000 // 251 + 1))[:9_000_000]
ODD = ["odd/a b", "odd/ä&<>+%41", "odd/lane=0/x.parquet", "odd/lane=0/y.parquet", "odd/z"]


def fails(error, code, run):
    try:
        run()
    except error as raised:
        assert code in str(raised), raised
    else:
        raise AssertionError(f"no {code}")


def boto3(url, bucket, access_key):
    import boto3
    from botocore.client import Config
    from botocore.exceptions import ClientError

    def client(key):
        config = Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 3})
        return boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key,
                            aws_secret_access_key="secret", config=config)

    s3 = client(access_key)
    s3.head_bucket(Bucket=bucket)
    put = s3.put_object(Bucket=bucket, Key="one", Body=b"hello", ChecksumAlgorithm="SHA256",
                        ContentType="text/x", Metadata={"lane": "3"}, IfNoneMatch="*")
    sha256 = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    assert put["ChecksumSHA256"] == sha256, put
    head = s3.head_object(Bucket=bucket, Key="one", ChecksumMode="ENABLED")
    assert (head["ContentLength"], head["ETag"], head["ChecksumSHA256"]) == (5, put["ETag"], sha256), head
    assert (head["ContentType"], head["Metadata"]) == ("text/x", {"lane": "3"}), head
    fails(ClientError, "PreconditionFailed",
          lambda: s3.put_object(Bucket=bucket, Key="one", Body=b"x", IfNoneMatch="*"))
    assert s3.get_object(Bucket=bucket, Key="one")["Body"].read() == b"hello"
    assert s3.get_object(Bucket=bucket, Key="one", Range="bytes=1-3")["Body"].read() == b"ell"
    fails(ClientError, "InvalidRange", lambda: s3.get_object(Bucket=bucket, Key="one", Range="bytes=5-"))
    fails(ClientError, "NoSuchKey", lambda: s3.get_object(Bucket=bucket, Key="none"))
    fails(ClientError, "NoSuchBucket", lambda: s3.list_objects_v2(Bucket="none"))
    fails(ClientError, "InvalidAccessKeyId", lambda: client("other").list_objects_v2(Bucket=bucket))
    for key in ODD:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="odd/"))
    assert [item["Key"] for page in pages for item in page["Contents"]] == sorted(ODD, key=str.encode), pages
    assert len(pages) == 2 and all(item["Size"] for page in pages for item in page["Contents"])
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="odd/", Delimiter="/"))
    prefixes = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
    assert prefixes == ["odd/lane=0/"], pages
    for key in ODD:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in ODD]})
    assert len(gone["Deleted"]) == len(ODD) and "Errors" not in gone, gone
    s3.delete_object(Bucket=bucket, Key="one")
    s3.put_object(Bucket=bucket, Key="left", Body=LARGE)
    assert s3.get_object(Bucket=bucket, Key="left")["Body"].read() == LARGE


def obstore(url, bucket, access_key):
    import obstore
    from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError
    from obstore.store import S3Store

    def store(bucket, key):
        return S3Store(bucket, endpoint=url, access_key_id=key, secret_access_key="secret", region="us-east-1",
                       virtual_hosted_style_request=False, client_options={"allow_http": True})

    s3 = store(bucket, access_key)
    put = obstore.put(s3, "one", b"hello", mode="create", attributes={"Content-Type": "text/x", "lane": "3"},
                      use_multipart=False)
    head = obstore.head(s3, "one")
    assert (head["size"], head["e_tag"]) == (5, put["e_tag"]), head
    fails(AlreadyExistsError, "412", lambda: obstore.put(s3, "one", b"x", mode="create", use_multipart=False))
    got = obstore.get(s3, "one")
    assert got.attributes == {"Content-Type": "text/x", "lane": "3"}, got.attributes
    assert bytes(got.bytes()) == b"hello"
    assert bytes(obstore.get_range(s3, "one", start=1, end=4)) == b"ell"
    fails(FileNotFoundError, "NoSuchKey", lambda: obstore.get(s3, "none"))
    fails(BaseError, "NoSuchBucket", lambda: store("none", access_key).list().collect())
    fails(PermissionDeniedError, "InvalidAccessKeyId", lambda: obstore.get(store(bucket, "other"), "one"))
    keys = [key for key in ODD if "<" not in key]
    for key in keys:
        obstore.put(s3, key, key.encode(), use_multipart=False)
    listed = [item["path"] for item in obstore.list(s3, "odd").collect()]
    assert listed == sorted(keys, key=str.encode), listed
    after = [item["path"] for item in obstore.list(s3, "odd", offset="odd/lane=0/x.parquet").collect()]
    assert after == ["odd/lane=0/y.parquet", "odd/z"], after
    level = obstore.list_with_delimiter(s3, "odd")
    assert level["common_prefixes"] == ["odd/lane=0"], level
    for key in keys:
        assert bytes(obstore.get(s3, key).bytes()) == key.encode()
    obstore.delete(s3, keys)
    obstore.delete(s3, "one")
    obstore.put(s3, "left", LARGE, use_multipart=False)
    assert bytes(obstore.get(s3, "left").bytes()) == LARGE


def pyarrow(url, bucket, access_key):
    from pyarrow.fs import AwsStandardS3RetryStrategy, FileSelector, FileType, S3FileSystem

    def files(key):
        return S3FileSystem(access_key=key, secret_key="secret", endpoint_override=url.removeprefix("http://"),
                            scheme="http", region="us-east-1", allow_delayed_open=True,
                            retry_strategy=AwsStandardS3RetryStrategy(max_attempts=3))

    def write(path, content):
        with s3.open_output_stream(f"{bucket}/{path}") as stream:
            stream.write(content)

    s3 = files(access_key)
    write("one", b"hello")
    info = s3.get_file_info(f"{bucket}/one")
    assert (info.type, info.size) == (FileType.File, 5), info
    assert s3.get_file_info(f"{bucket}/none").type == FileType.NotFound
    with s3.open_input_file(f"{bucket}/one") as file:
        assert file.read() == b"hello" and file.read_at(3, 1) == b"ell"
    fails(OSError, "ACCESS_DENIED", lambda: files("other").open_input_file(f"{bucket}/one").read())
    for key in ODD:
        write(key, key.encode())
    found = s3.get_file_info(FileSelector(f"{bucket}/odd", recursive=True))
    listed = sorted(info.path.removeprefix(f"{bucket}/") for info in found if info.type == FileType.File)
    assert listed == sorted(ODD), found
    level = s3.get_file_info(FileSelector(f"{bucket}/odd"))
    assert [info.path for info in level if info.type == FileType.Directory] == [f"{bucket}/odd/lane=0"], level
    for key in ODD:
        with s3.open_input_stream(f"{bucket}/{key}") as stream:
            assert stream.read() == key.encode()
    write("left", LARGE)
    with s3.open_input_stream(f"{bucket}/left") as stream:
        assert stream.read() == LARGE
    s3.delete_dir(f"{bucket}/odd")
    s3.delete_file(f"{bucket}/one")


{"boto3": boto3, "obstore": obstore, "pyarrow": pyarrow}[sys.argv[1]](*sys.argv[2:])
