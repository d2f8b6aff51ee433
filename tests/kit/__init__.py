"""What tests share: doubles of AWS, drivers of the product above them, and what happens to it, event by event."""
