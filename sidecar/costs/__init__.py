"""What a candidate costs here. The scoring process ranks by it, the serving process answers questions."""
