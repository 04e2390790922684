"""The one door to AWS, for the gates and for the command; boto3 is loaded only when it is used."""
