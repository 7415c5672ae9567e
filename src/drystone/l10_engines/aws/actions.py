"""What clients may ask for: a closed list, so that a new version of the simulator opens nothing by itself.

Left out is whatever leads to another account or out of this machine (policies and permissions for others, copies, exports,
deliveries by HTTP, mail or telephone), what needs a service that is not here, and reading by subscription.
"""

from __future__ import annotations


def _of(words: str) -> frozenset[str]:
    return frozenset(words.split())


READS: dict[str, frozenset[str]] = {
    "sqs": _of(
        "ListQueues GetQueueUrl GetQueueAttributes ListQueueTags ListDeadLetterSourceQueues"
    ),
    "sns": _of(
        "ListTopics GetTopicAttributes ListSubscriptions ListSubscriptionsByTopic GetSubscriptionAttributes"
        " ListTagsForResource"
    ),
    "dynamodb": _of(
        "DescribeTable ListTables GetItem Query Scan BatchGetItem TransactGetItems DescribeTimeToLive"
        " DescribeContinuousBackups DescribeEndpoints DescribeLimits ListTagsOfResource"
    ),
    "dynamodbstreams": _of("ListStreams DescribeStream GetShardIterator GetRecords"),
    "kinesis": _of(
        "DescribeStream DescribeStreamSummary ListStreams ListShards ListTagsForStream DescribeLimits"
    ),
    "kms": _of(
        "ListKeys DescribeKey GetPublicKey Sign Verify Encrypt Decrypt ReEncrypt GenerateMac VerifyMac GenerateDataKey"
        " GenerateDataKeyWithoutPlaintext GenerateRandom ListAliases GetKeyRotationStatus ListKeyRotations ListResourceTags"
    ),
    "sts": frozenset(["GetCallerIdentity"]),
}
"""What changes nothing."""

WRITES: dict[str, frozenset[str]] = {
    "sqs": _of(
        "CreateQueue DeleteQueue SendMessage SendMessageBatch ReceiveMessage DeleteMessage DeleteMessageBatch"
        " ChangeMessageVisibility ChangeMessageVisibilityBatch SetQueueAttributes PurgeQueue TagQueue UntagQueue"
    ),
    "sns": _of(
        "CreateTopic DeleteTopic SetTopicAttributes Subscribe Unsubscribe SetSubscriptionAttributes Publish PublishBatch"
        " TagResource UntagResource"
    ),
    "dynamodb": _of(
        "CreateTable DeleteTable UpdateTable PutItem DeleteItem UpdateItem BatchWriteItem TransactWriteItems"
        " UpdateTimeToLive TagResource UntagResource ExecuteStatement BatchExecuteStatement ExecuteTransaction"
    ),
    "dynamodbstreams": frozenset(),
    "kinesis": _of(
        "CreateStream DeleteStream PutRecord PutRecords GetShardIterator GetRecords IncreaseStreamRetentionPeriod"
        " DecreaseStreamRetentionPeriod AddTagsToStream RemoveTagsFromStream MergeShards SplitShard UpdateShardCount"
    ),
    "kms": _of(
        "CreateKey CreateAlias DeleteAlias UpdateAlias EnableKey DisableKey UpdateKeyDescription TagResource"
        " UntagResource EnableKeyRotation DisableKeyRotation RotateKeyOnDemand ScheduleKeyDeletion CancelKeyDeletion"
    ),
    "sts": frozenset(),
}
"""What is on disk before it is answered; the iterators of a stream are kept, too."""

GROWING = _of(
    "CreateQueue SendMessage SendMessageBatch CreateTopic Subscribe Publish PublishBatch CreateTable PutItem UpdateItem"
    " BatchWriteItem TransactWriteItems ExecuteStatement BatchExecuteStatement ExecuteTransaction CreateStream PutRecord"
    " PutRecords CreateKey CreateAlias RotateKeyOnDemand TagResource TagQueue AddTagsToStream"
)
"""What is refused to an account that is full."""

ADDING = _of("SendMessage SendMessageBatch Publish PublishBatch PutRecord PutRecords")
"""What adds messages or records, and changes none of those that are there."""

TARGETS = {
    "AmazonSQS": "sqs",
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "Kinesis_20131202": "kinesis",
    "TrentService": "kms",
}
"""Which service the first part of the header ``x-amz-target`` names."""

FORMS = {"sqs": "sqs", "sns": "sns", "sts": "sts"}
"""Which services are asked by forms, by the service that a signature names."""

SIGNED_AS = {"dynamodbstreams": "dynamodb"}
"""As which service a request is signed, where that is another name."""
